// Package main returns an interface of another package from New.
package main

import (
	"example.com/plugins/contract"
	"github.com/labstack/echo/v4"
)

type typed struct{ value string }

func New(config map[string]interface{}) (contract.Middleware, error) {
	value, _ := config["value"].(string)
	return typed{value}, nil
}

func (t typed) Handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Header.Set("X-Typed", t.value)
		return next(c)
	}
}
