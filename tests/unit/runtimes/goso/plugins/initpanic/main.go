// Package main cannot be opened.
package main

import "github.com/labstack/echo/v4"

func init() { panic("init was told to panic") }

func New(config map[string]interface{}) (interface{}, error) { return echo.New(), nil }
