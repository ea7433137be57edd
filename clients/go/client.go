// Package hotpath has the functions of Hotpath as methods, over a client of go-redis.
package hotpath

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// How long a call is made again while its slot is being moved.
const movingPatience = 2 * time.Second

const maxPause = 500 * time.Millisecond

// Client calls functions. It is safe for use by many goroutines, as far as its redis.Cmdable is.
type Client struct {
	redis   redis.Cmdable
	keys    []string
	once    bool
	retries int
}

// Option changes a client.
type Option func(*Client)

// WithPartition says what the keys belong to, in a cluster: `rtl`. Without it names have no braces.
func WithPartition(name string) Option {
	return func(c *Client) { c.keys = []string{"{" + name + "}"} }
}

// WithoutOnce sends calls that write without ONCE: a repeat of one counts twice.
func WithoutOnce() Option {
	return func(c *Client) { c.once = false }
}

// WithRetries says how often a call whose reply was lost is made again, where that is harmless.
func WithRetries(times int) Option {
	return func(c *Client) { c.retries = times }
}

// New makes a client over one of go-redis, which stays its owner's to close.
func New(rdb redis.Cmdable, options ...Option) *Client {
	client := &Client{redis: rdb, once: true, retries: 3}
	for _, option := range options {
		option(client)
	}
	return client
}

// Ptr is the address of a value, for options whose zero means something.
func Ptr[T any](value T) *T { return &value }

// Error is what a function answered: errors.Is(err, ErrNotFound) asks for its code.
type Error struct {
	Code     string
	Sentence string
	Function string
}

func (e *Error) Error() string { return e.Code + " " + e.Sentence }

// Is says whether the error has the code of ErrNotFound and its like.
func (e *Error) Is(target error) bool {
	wanted, ok := target.(*code)
	return ok && wanted.name == e.Code
}

type code struct{ name string }

func (c *code) Error() string { return c.name }

// spec says what a function is, and what a repeated call of it does.
type spec struct {
	name         string
	readOnly     bool
	takesOnce    bool
	isRepeatable bool
}

// call is one call: its arguments as they are sent.
type call struct {
	spec *spec
	args []any
	once string
	err  error
}

func (c *call) add(value any) {
	encoded, err := encode(value)
	if err != nil && c.err == nil {
		c.err = err
	}
	c.args = append(c.args, encoded)
}

func (c *call) option(keyword string, values ...any) {
	c.args = append(c.args, keyword)
	for _, value := range values {
		c.add(value)
	}
}

// given adds an option that is not left out: a pointer that is nil, or a zero that no argument may be.
func (c *call) given(keyword string, value any) {
	switch typed := value.(type) {
	case nil:
		return
	case *int64:
		if typed != nil {
			c.option(keyword, *typed)
		}
	case *bool:
		if typed != nil {
			c.option(keyword, *typed)
		}
	case *string:
		if typed != nil {
			c.option(keyword, *typed)
		}
	case *time.Duration:
		if typed != nil {
			c.option(keyword, *typed)
		}
	case int64:
		if typed != 0 {
			c.option(keyword, typed)
		}
	case string:
		if typed != "" {
			c.option(keyword, typed)
		}
	case time.Time:
		if !typed.IsZero() {
			c.option(keyword, typed)
		}
	case map[string]string:
		if typed != nil {
			c.option(keyword, typed)
		}
	default:
		c.option(keyword, typed)
	}
}

func encode(value any) (any, error) {
	switch typed := value.(type) {
	case string, []byte:
		return typed, nil
	case json.RawMessage:
		return []byte(typed), nil
	case int64:
		return strconv.FormatInt(typed, 10), nil
	case bool:
		if typed {
			return "1", nil
		}
		return "0", nil
	case time.Time:
		return strconv.FormatInt(typed.UnixMilli(), 10), nil
	case time.Duration:
		return strconv.FormatInt(typed.Milliseconds(), 10), nil
	default:
		return json.Marshal(typed)
	}
}

func (client *Client) send(ctx context.Context, c *call) (any, error) {
	if c.err != nil {
		return nil, c.err
	}
	args := c.args
	if c.once == "" && c.spec.takesOnce && client.once {
		c.once = rand.Text()
	}
	if c.once != "" {
		args = append(args[:len(args):len(args)], "ONCE", c.once)
	}
	retries := 0
	if c.once != "" || c.spec.isRepeatable {
		retries = client.retries
	}
	until := time.Now().Add(movingPatience)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		value, err := client.attempt(ctx, c.spec, args)
		var problem redis.Error
		switch {
		case err == nil || errors.Is(err, redis.Nil):
			return value, nil
		case errors.As(err, &problem):
			own := ownError(problem, c.spec.name)
			if !errors.Is(own, ErrTryAgain) || time.Now().After(until) {
				return nil, own
			}
		case ctx.Err() != nil || retries == 0:
			return nil, err
		default:
			retries--
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (client *Client) attempt(ctx context.Context, s *spec, args []any) (any, error) {
	if s.readOnly {
		return client.redis.FCallRO(ctx, s.name, client.keys, args...).Result()
	}
	return client.redis.FCall(ctx, s.name, client.keys, args...).Result()
}

func ownError(problem redis.Error, function string) error {
	name, sentence, _ := strings.Cut(problem.Error(), " ")
	if _, isOurs := codes[name]; !isOurs {
		return problem
	}
	return &Error{Code: name, Sentence: sentence, Function: function}
}

func ask[T any](ctx context.Context, client *Client, c *call, decode func(any) (T, error)) (T, error) {
	value, err := client.send(ctx, c)
	if err != nil {
		var none T
		return none, err
	}
	decoded, err := decode(value)
	if err != nil {
		err = fmt.Errorf("the reply of %s: %w", c.spec.name, err)
	}
	return decoded, err
}

func (client *Client) tell(ctx context.Context, c *call) error {
	_, err := client.send(ctx, c)
	return err
}
