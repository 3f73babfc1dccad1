// Package main exports a variable.
package main

import "github.com/labstack/echo/v4"

type variable struct{ value string }

var Middleware variable

func (v *variable) Initialize(config map[string]interface{}) error {
	v.value, _ = config["value"].(string)
	return nil
}

func (v *variable) Handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Header.Set("X-Variable", v.value)
		return next(c)
	}
}
