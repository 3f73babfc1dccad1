// Package contract has the interface that a plugin's host would have.
package contract

import "github.com/labstack/echo/v4"

// Middleware is what New returns.
type Middleware interface {
	Handle(next echo.HandlerFunc) echo.HandlerFunc
}
