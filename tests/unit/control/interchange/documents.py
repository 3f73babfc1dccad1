"""Documents as other tools write them."""

from __future__ import annotations

from typing import Any

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def script(*lines: str, listen: str = "test") -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": [*lines]}}


def shop() -> dict[str, Any]:
    """A collection of the kind that teams share: folders, variables, scripts, auth, examples."""
    token = [{"key": "token", "value": "{{token}}", "type": "string"}]
    return {
        "info": {
            "_postman_id": "1c7a9b1e-5d3f-4c1c-9a34-5f2f0d9c6c11",
            "name": "Acme Shop API",
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": token},
        "event": [script("pm.request.headers.add('x-a: 1');", listen="prerequest"), script("")],
        "item": [
            {
                "name": "Orders",
                "item": [
                    {
                        "name": "List orders",
                        "request": {
                            "method": "GET",
                            "header": [{"key": "Accept", "value": "application/json"}],
                            "url": {
                                "raw": "{{baseUrl}}/orders?page=2",
                                "host": ["{{baseUrl}}"],
                                "path": ["orders"],
                                "query": [{"key": "page", "value": "2"}],
                            },
                        },
                        "response": [{"name": "OK", "code": 200, "body": "[]"}],
                    },
                    {
                        "name": "Create order",
                        "event": [script("pm.test('created', () => {});")],
                        "request": {
                            "method": "POST",
                            "body": {"mode": "raw", "raw": "{}"},
                            "url": {
                                "raw": "{{baseUrl}}/orders",
                                "host": ["{{baseUrl}}"],
                                "path": ["orders"],
                            },
                        },
                    },
                    {
                        "name": "One order",
                        "request": {
                            "method": "GET",
                            "url": {
                                "raw": "{{baseUrl}}/orders/:orderId/lines",
                                "host": ["{{baseUrl}}"],
                                "path": ["orders", ":orderId", "lines"],
                                "variable": [{"key": "orderId", "value": "7"}],
                            },
                        },
                    },
                    {
                        "name": "Cancel order",
                        "request": {
                            "method": "DELETE",
                            "auth": {"type": "noauth"},
                            "url": "{{baseUrl}}/orders/{{orderId}}#now",
                        },
                    },
                ],
            },
            {
                "name": "Health",
                "request": {
                    "method": "GET",
                    "url": {
                        "raw": "http://10.0.0.5:9000/healthz/",
                        "protocol": "http",
                        "host": ["10", "0", "0", "5"],
                        "port": "9000",
                        "path": ["healthz", ""],
                    },
                },
            },
        ],
        "variable": [
            {"key": "host", "value": "api.acme.example"},
            {"key": "baseUrl", "value": "https://{{host}}/v1"},
            {"key": "orderId", "value": "4711"},
            {"key": "old", "value": "x", "disabled": True},
        ],
    }


def request(name: str, url: object, method: str = "GET") -> dict[str, Any]:
    return {"name": name, "request": {"method": method, "url": url}}


def collection(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"info": {"name": "c", "schema": SCHEMA}, "item": [*items], **more}


def petstore(**more: Any) -> dict[str, Any]:
    """An OpenAPI document of the usual shape."""
    ok = {"200": {"description": "ok", "content": {"application/json": {"example": {"id": 1}}}}}
    id_ = {"name": "petId", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pet Store", "version": "1.0.0"},
        "servers": [
            {
                "url": "https://{region}.pets.example:8443/{version}",
                "variables": {
                    "region": {"default": "eu", "enum": ["eu", "us"]},
                    "version": {"default": "v2"},
                },
            },
            {"url": "https://staging.pets.example"},
        ],
        "paths": {
            "/pets": {
                "get": {"operationId": "listPets", "responses": ok},
                "post": {"operationId": "createPet", "responses": {}, "callbacks": {"made": {}}},
            },
            "/pets/{petId}": {
                "parameters": [id_],
                "get": {"operationId": "getPet", "responses": {}, "security": [{"key": []}]},
            },
            "/pets/{petId}/photo.{format}": {"put": {"responses": {}}},
            "/status": {"$ref": "#/components/pathItems/status"},
            "/elsewhere": {"$ref": "other.yaml#/x"},
            "x-internal": {"get": {}},
        },
        "webhooks": {"newPet": {"post": {}}},
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "name": "k", "in": "header"}},
            "pathItems": {
                "status": {
                    "servers": [{"url": "http://status.pets.example"}],
                    "get": {"operationId": "status", "responses": {}},
                }
            },
        },
        **more,
    }
