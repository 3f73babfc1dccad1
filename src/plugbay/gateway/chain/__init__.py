"""What plugins do on the way of a request, compiled for each route."""
