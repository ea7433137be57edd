package hotpath

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Opt is a value of JSON that may be left out (the zero Opt), or be null.
type Opt[T any] struct {
	isSet bool
	value *T
}

// Some is a value that is there.
func Some[T any](value T) Opt[T] { return Opt[T]{isSet: true, value: &value} }

// Null takes a value away.
func Null[T any]() Opt[T] { return Opt[T]{isSet: true} }

// IsZero says whether it is left out.
func (o Opt[T]) IsZero() bool { return !o.isSet }

// MarshalJSON writes the value; a time as unix milliseconds.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.value == nil {
		return []byte("null"), nil
	}
	if moment, ok := any(*o.value).(time.Time); ok {
		return json.Marshal(moment.UnixMilli())
	}
	return json.Marshal(*o.value)
}

func millisOf(moment time.Time) *int64 {
	if moment.IsZero() {
		return nil
	}
	return Ptr(moment.UnixMilli())
}

func timeOf(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}

func timeOfPointer(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	return Ptr(timeOf(ms))
}

func durationOf(ms *int64) time.Duration {
	if ms == nil {
		return 0
	}
	return time.Duration(*ms) * time.Millisecond
}

func wrong(name string, err error) error { return fmt.Errorf("%s: %w", name, err) }

func decodeText(value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("text was expected, got %T", value)
	}
	return text, nil
}

func decodeBytes(value any) ([]byte, error) {
	text, err := decodeText(value)
	return []byte(text), err
}

func decodeInteger(value any) (int64, error) {
	switch typed := value.(type) {
	case int64:
		return typed, nil
	case string:
		return strconv.ParseInt(typed, 10, 64)
	default:
		return 0, fmt.Errorf("an integer was expected, got %T", value)
	}
}

func decodeFlag(value any) (bool, error) {
	number, err := decodeInteger(value)
	return number != 0, err
}

func decodeTime(value any) (time.Time, error) {
	ms, err := decodeInteger(value)
	return time.UnixMilli(ms).UTC(), err
}

func decodeDuration(value any) (time.Duration, error) {
	ms, err := decodeInteger(value)
	return time.Duration(ms) * time.Millisecond, err
}

func decodeRaw(value any) (json.RawMessage, error) {
	text, err := decodeText(value)
	return json.RawMessage(text), err
}

func decodeJSON[T any](value any) (decoded T, err error) {
	text, err := decodeText(value)
	if err == nil {
		err = json.Unmarshal([]byte(text), &decoded)
	}
	return decoded, err
}

func orNil[T any](decode func(any) (T, error)) func(any) (*T, error) {
	return func(value any) (*T, error) {
		if value == nil {
			return nil, nil
		}
		decoded, err := decode(value)
		return &decoded, err
	}
}

func orZero[T any](decode func(any) (T, error)) func(any) (T, error) {
	return func(value any) (decoded T, err error) {
		if value == nil {
			return decoded, nil
		}
		return decode(value)
	}
}

func listOf[T any](decode func(any) (T, error)) func(any) ([]T, error) {
	return func(value any) ([]T, error) {
		values, ok := value.([]any)
		if !ok {
			return nil, fmt.Errorf("an array was expected, got %T", value)
		}
		list := make([]T, len(values))
		for at, each := range values {
			decoded, err := decode(each)
			if err != nil {
				return nil, err
			}
			list[at] = decoded
		}
		return list, nil
	}
}

// recordOf reads by name: a server may hold a newer library, whose records have more fields.
func recordOf(value any) (map[string]any, error) {
	flat, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("a record was expected, got %T", value)
	}
	fields := make(map[string]any, len(flat)/2)
	for at := 0; at+1 < len(flat); at += 2 {
		name, err := decodeText(flat[at])
		if err != nil {
			return nil, err
		}
		fields[name] = flat[at+1]
	}
	return fields, nil
}

func tupleOf(value any, length int) ([]any, error) {
	values, ok := value.([]any)
	if !ok || len(values) < length {
		return nil, fmt.Errorf("an array of %d was expected, got %v", length, value)
	}
	return values, nil
}
