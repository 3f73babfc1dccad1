package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"plugbay.dev/sdk/hookpb"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// fill converts a configuration strictly: an unknown key is an error.
func fill(into any, raw []byte) *hookpb.Failure {
	if into == nil {
		into = &struct{}{}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if problem := nulls(into, raw); problem != nil {
		return refused(problem)
	}
	err := decoder.Decode(into)
	if err == nil {
		return nil
	}
	problem := &hookpb.Problem{Detail: err.Error(), Remedy: "correct the configuration"}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		problem.Pointer = "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		problem.Expected, problem.Found = kindOf(wrong.Type), wrong.Value
		problem.Detail = fmt.Sprintf("expected %s, got %s", problem.Expected, problem.Found)
	} else if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		problem.Pointer = "/" + strings.Trim(name, `"`)
		problem.Detail = "unknown key"
	}
	return refused(problem)
}

func refused(problem *hookpb.Problem) *hookpb.Failure {
	return &hookpb.Failure{
		Kind: "ConfigError", Detail: "config: " + problem.Detail, Problems: []*hookpb.Problem{problem},
	}
}

// nulls finds a null for a field that cannot be null: encoding/json would skip it without a word.
func nulls(into any, raw []byte) *hookpb.Problem {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil {
		return nil // it is said by the strict decoder
	}
	kind := reflect.TypeOf(into).Elem()
	for i := range kind.NumField() {
		name := nameOf(kind.Field(i))
		switch kind.Field(i).Type.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			continue
		}
		if string(given[name]) == "null" {
			expected := kindOf(kind.Field(i).Type)
			return &hookpb.Problem{
				Pointer: "/" + name, Detail: fmt.Sprintf("expected %s, got null", expected),
				Expected: expected, Found: "null", Remedy: "leave the key out to have its default",
			}
		}
	}
	return nil
}

func nameOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		return field.Name
	}
	return name
}

// schemaOf derives the JSON Schema of a configuration from a pointer to its defaults.
func schemaOf(config any) (string, error) {
	if config == nil {
		config = &struct{}{}
	}
	value := reflect.ValueOf(config)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return "", fmt.Errorf("Info.Config must be a pointer to a struct, not %T", config)
	}
	schema, err := describe(value.Elem())
	if err != nil {
		return "", err
	}
	schema["$schema"] = dialect
	data, err := json.Marshal(schema)
	return string(data), err
}

func describe(value reflect.Value) (map[string]any, error) {
	kind := value.Type()
	if kind == reflect.TypeFor[time.Duration]() {
		return map[string]any{"type": "integer", "description": "nanoseconds"}, nil
	}
	switch kind.Kind() {
	case reflect.Struct:
		return describeStruct(value)
	case reflect.Slice, reflect.Array:
		items, err := describe(reflect.New(kind.Elem()).Elem())
		return map[string]any{"type": "array", "items": items}, err
	case reflect.Map:
		values, err := describe(reflect.New(kind.Elem()).Elem())
		return map[string]any{"type": "object", "additionalProperties": values}, err
	case reflect.Pointer:
		return describe(reflect.New(kind.Elem()).Elem())
	case reflect.Interface:
		return map[string]any{}, nil
	}
	if name := kindOf(kind); name != "" {
		return map[string]any{"type": name}, nil
	}
	return nil, fmt.Errorf("a configuration cannot have a field of type %s", kind)
}

func describeStruct(value reflect.Value) (map[string]any, error) {
	properties := map[string]any{}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		name := nameOf(field)
		if !field.IsExported() || name == "-" {
			continue
		}
		property, err := describe(value.Field(i))
		if err != nil {
			return nil, err
		}
		if doc := field.Tag.Get("doc"); doc != "" {
			property["description"] = doc
		}
		if kind := value.Field(i).Kind(); kind != reflect.Struct && !value.Field(i).IsZero() || simple(kind) {
			property["default"] = value.Field(i).Interface()
		}
		properties[name] = property
	}
	return map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false,
	}, nil
}

func simple(kind reflect.Kind) bool {
	return kind == reflect.Bool || kind == reflect.String ||
		kind >= reflect.Int && kind <= reflect.Float64
}

func kindOf(kind reflect.Type) string {
	switch kind.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice, reflect.Array:
		return "array"
	}
	if kind.Kind() >= reflect.Int && kind.Kind() <= reflect.Uintptr {
		return "integer"
	}
	return ""
}
