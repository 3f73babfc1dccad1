// Package main was written for an older Echo.
package main

import "github.com/labstack/echo/v4"

type older struct{}

func New(config map[string]interface{}) (interface{}, error) { return older{}, nil }

func (older) Handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Header.Set("X-Echo", echo.Version)
		return next(c)
	}
}
