"""What is counted of a plugin."""

from litestar import Controller, get
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._figures import PluginFiguresView
from plugbay.admin._http import Use, rule


class PluginFigureRoutes(Controller):
    """Figures of plugins."""

    path = "/plugins/{plugin:str}/metrics"
    tags = ("plugins",)

    @get("/", opt=rule(Permission.READ), operation_id="getFigures")
    async def one(self, context: Use, plugin: FromPath[str]) -> PluginFiguresView:
        """What a plugin has done and used in all workers, and the metrics it declares itself."""
        services = context.services
        if plugin not in services.control.desired.plugins:
            raise context.no_plugin(plugin)
        return PluginFiguresView(
            plugin=plugin,
            totals=services.figures.totals(plugin),
            own=services.figures.own(plugin),
            series=tuple(services.traffic.plugin(plugin)),
        )
