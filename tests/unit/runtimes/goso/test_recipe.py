"""From how a plugin was built to what its runner must be built from; nothing of it is trusted."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from plugbay.kernel import Invalid
from plugbay.runtimes.goso._recipe import ECHO, Recipe, recipe_for

SUM = "h1:" + "A" * 43 + "="


@dataclass
class Module:
    path: str = ECHO
    version: str = "v4.13.4"
    sum: str = SUM
    replaced: Module | None = None


@dataclass
class Build:
    version: str = "go1.26.6"
    deps: tuple[Module, ...] = (Module(),)
    settings: dict[str, str] = field(default_factory=lambda: {"-trimpath": "true"})
    packages: dict[str, str] = field(default_factory=dict)


def test_it_names_what_both_sides_have_and_nothing_else() -> None:
    logrus = Module("github.com/sirupsen/logrus", "v1.9.3")
    system = Module("golang.org/x/sys", "v0.33.0")
    recipe = recipe_for(Build(deps=(system, logrus, Module())))
    assert [pin.path for pin in recipe.pins] == [ECHO, "golang.org/x/sys"]
    assert recipe.go_mod() == (
        "module plugbay.dev/goso\n\ngo 1.26\n\n"
        f"require {ECHO} v4.13.4\nrequire golang.org/x/sys v0.33.0\n"
    )
    assert recipe.go_sum() == f"{ECHO} v4.13.4 {SUM}\ngolang.org/x/sys v0.33.0 {SUM}\n"
    assert recipe.flags() == ["-trimpath"]


def test_flags_are_the_plugins_own() -> None:
    settings = {"-race": "true", "-tags": "a,b", "GOAMD64": "v3", "-compiler": "gc"}
    recipe = recipe_for(Build(settings=settings))
    assert recipe.flags() == ["-race", "-tags=a,b"]
    assert recipe.levels == (("GOAMD64", "v3"),)


def test_a_replaced_module_is_replaced_in_the_runner_too() -> None:
    fork = Module("github.com/fork/echo", "v4.13.5", SUM)
    recipe = recipe_for(Build(deps=(Module(version="v4.13.4", sum="", replaced=fork),)))
    assert f"replace {ECHO} => github.com/fork/echo v4.13.5" in recipe.go_mod()
    assert f"require {ECHO} v4.0.0" in recipe.go_mod()
    assert recipe.go_sum() == f"github.com/fork/echo v4.13.5 {SUM}\n"


def test_each_difference_makes_another_runner() -> None:
    recipes = [
        recipe_for(Build()),
        recipe_for(Build(version="go1.26.5")),
        recipe_for(Build(deps=(Module(version="v4.12.0"),))),
        recipe_for(Build(settings={})),
        recipe_for(Build(settings={"-trimpath": "true", "-race": "true"})),
        recipe_for(Build(settings={"-trimpath": "true", "GOAMD64": "v3"})),
    ]
    assert len({recipe.key("source") for recipe in recipes}) == len(recipes)
    assert recipes[0].key("source") != recipes[0].key("other source")
    assert recipes[0].key("source") == recipe_for(Build()).key("source")


@pytest.mark.parametrize(
    "build",
    [
        Build(version="go1.20.1"),
        Build(version="devel go1.27-abc"),
        Build(version="go1.26.6; rm -rf"),
        Build(deps=()),
        Build(deps=(Module(version="v4.13.4\nreplace a => b"),)),
        Build(deps=(Module(sum="h1:short"),)),
        Build(deps=(Module(replaced=Module("../echo", "", "")),)),
        Build(deps=(Module(replaced=Module("/srv/echo", "v4.13.4", "")),)),
        Build(deps=(Module(version="(devel)"),)),
        Build(settings={"-gcflags": "all=-N -l"}),
        Build(settings={"-asan": "true"}),
        Build(settings={"-tags": "a -o /etc/passwd"}),
        Build(settings={"GOAMD64": "v3 -x"}),
    ],
)
def test_what_no_runner_can_have_is_refused_with_a_remedy(build: Build) -> None:
    with pytest.raises(Invalid) as caught:
        recipe_for(build)
    for problem in caught.value.problems:
        assert problem.detail
        assert problem.expected
        assert problem.remedy


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        recipe_for(Build(version="go1.2", deps=(), settings={"-msan": "true"}))
    assert len(caught.value.problems) == 3


def test_a_recipe_is_a_value() -> None:
    assert recipe_for(Build()) == recipe_for(Build())
    assert isinstance(recipe_for(Build()), Recipe)
