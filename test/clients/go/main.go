// Sends commands by go-redis with its default settings: default|off port commands.
//
// The commands are JSON, an array of arrays; several go into one pipeline. Prints JSON: {"replies": [...]} or {"error": "..."}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

func run(kind, port string, commands [][]any) ([]any, error) {
	options := &redis.Options{Addr: "127.0.0.1:" + port}
	if kind == "off" {
		options.MaxRetries = -1
	}
	client := redis.NewClient(options)
	ctx := context.Background()
	if len(commands) == 1 {
		reply, err := client.Do(ctx, commands[0]...).Result()
		return []any{reply}, err
	}
	results, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, command := range commands {
			pipe.Do(ctx, command...)
		}
		return nil
	})
	replies := []any{}
	for _, each := range results {
		replies = append(replies, each.(*redis.Cmd).Val())
	}
	return replies, err
}

func text(reply any) any {
	list, isList := reply.([]any)
	if !isList {
		return reply
	}
	for at := range list {
		list[at] = text(list[at])
	}
	return list
}

func main() {
	var commands [][]any
	if err := json.Unmarshal([]byte(os.Args[3]), &commands); err != nil {
		panic(err)
	}
	replies, err := run(os.Args[1], os.Args[2], commands)
	answer := map[string]any{"replies": text(replies)}
	if err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	printed, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(printed))
}
