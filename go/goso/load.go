package main

import (
	"errors"
	"fmt"
	"plugin"
	"reflect"

	"github.com/labstack/echo/v4"
)

// middleware is what a plugin must come down to.
type middleware interface {
	Handle(next echo.HandlerFunc) echo.HandlerFunc
}

type function func(next echo.HandlerFunc) echo.HandlerFunc

func (f function) Handle(next echo.HandlerFunc) echo.HandlerFunc { return f(next) }

type configurable interface {
	Initialize(config map[string]interface{}) error
}

type opened struct {
	Symbol   string `json:"symbol"`
	Declared string `json:"declared"`
	Type     string `json:"type"`
}

var (
	errorType  = reflect.TypeOf((*error)(nil)).Elem()
	configType = reflect.TypeOf(map[string]interface{}{})
)

// load opens a plugin and makes its middleware, by whichever of the ways it is declared:
// a function `New(map[string]interface{}) (T, error)`, where T is any type, or a variable. T, or
// the variable's type, has `Handle(echo.HandlerFunc) echo.HandlerFunc` or is such a function.
func load(o open, stage func(string)) (middleware, opened, error) {
	stage("open")
	library, err := plugin.Open(o.File)
	if err != nil {
		return nil, opened{}, err
	}
	symbol, name, err := find(library, o.Symbol)
	if err != nil {
		return nil, opened{}, err
	}
	value := reflect.ValueOf(symbol)
	facts := opened{Symbol: name, Declared: value.Type().String()}
	made := value
	if value.Kind() == reflect.Func && !value.CanConvert(reflect.TypeOf(function(nil))) {
		stage("new")
		if made, err = construct(name, value, o.Config); err != nil {
			return nil, facts, err
		}
	}
	found, err := middlewareOf(name, made)
	if err != nil {
		return nil, facts, err
	}
	facts.Type = fmt.Sprintf("%T", found)
	if able, ok := found.(configurable); ok {
		stage("initialize")
		if err := able.Initialize(o.Config); err != nil {
			return nil, facts, fmt.Errorf("Initialize: %w", err)
		}
	}
	return found, facts, nil
}

func find(library *plugin.Plugin, wanted string) (plugin.Symbol, string, error) {
	names := []string{wanted}
	if wanted == "" || wanted == "New" {
		names = []string{"New", "Middleware"}
	}
	for _, name := range names {
		if symbol, err := library.Lookup(name); err == nil {
			return symbol, name, nil
		}
	}
	if len(names) == 1 {
		return nil, "", fmt.Errorf("it does not export %s", wanted)
	}
	return nil, "", errors.New("it exports neither New nor Middleware")
}

func construct(name string, made reflect.Value, config map[string]interface{}) (reflect.Value, error) {
	kind := made.Type()
	if kind.NumIn() != 1 || kind.In(0) != configType || kind.NumOut() != 2 || !kind.Out(1).Implements(errorType) {
		return made, fmt.Errorf("%s is a %s, not a func(map[string]interface{}) (T, error)", name, kind)
	}
	out := made.Call([]reflect.Value{reflect.ValueOf(config)})
	if err, _ := out[1].Interface().(error); err != nil {
		return made, fmt.Errorf("%s: %w", name, err)
	}
	return out[0], nil
}

func middlewareOf(name string, value reflect.Value) (middleware, error) {
	for value.IsValid() {
		if value.CanInterface() {
			if found, ok := value.Interface().(middleware); ok && !empty(value) {
				return found, nil
			}
			if target := reflect.TypeOf(function(nil)); value.CanConvert(target) && !empty(value) {
				return value.Convert(target).Interface().(function), nil
			}
		}
		if value.Kind() != reflect.Pointer && value.Kind() != reflect.Interface {
			break
		}
		if value.IsNil() {
			return nil, fmt.Errorf("%s gives nil", name)
		}
		value = value.Elem()
	}
	if !value.IsValid() || empty(value) {
		return nil, fmt.Errorf("%s gives nil", name)
	}
	return nil, fmt.Errorf("%s gives a %s, which has no method Handle(echo.HandlerFunc) echo.HandlerFunc", name, value.Type())
}

func empty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return value.IsNil()
	}
	return false
}
