// Package main exports a New that cannot be called, and a function that can.
package main

import (
	"errors"

	"github.com/labstack/echo/v4"
)

func New() string { return "not a plugin" }

func Function(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Header.Set("X-Function", "called")
		return next(c)
	}
}

func Demanding(config map[string]interface{}) (interface{}, error) {
	return nil, errors.New("url is missing")
}

type Without struct{}

func Handless(config map[string]interface{}) (interface{}, error) { return Without{}, nil }
