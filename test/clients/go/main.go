// Sends commands by go-redis with its default settings: default|off port commands, or cluster port commands user password.
//
// The commands are JSON, an array of arrays; several go into one pipeline, in a cluster into one transaction.
// Prints JSON: {"replies": [...]} or {"error": "..."}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

func connect(kind, port string, login []string) redis.UniversalClient {
	address := "127.0.0.1:" + port
	if kind == "cluster" {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}, Username: login[0], Password: login[1]})
	}
	options := &redis.Options{Addr: address}
	if kind == "off" {
		options.MaxRetries = -1
	}
	return redis.NewClient(options)
}

func run(client redis.UniversalClient, kind string, commands [][]any) ([]any, error) {
	ctx := context.Background()
	if len(commands) == 1 {
		reply, err := client.Do(ctx, commands[0]...).Result()
		return []any{reply}, err
	}
	pipelined := client.Pipelined
	if kind == "cluster" {
		pipelined = client.TxPipelined
	}
	results, err := pipelined(ctx, func(pipe redis.Pipeliner) error {
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
	client := connect(os.Args[1], os.Args[2], os.Args[4:])
	replies, err := run(client, os.Args[1], commands)
	answer := map[string]any{"replies": text(replies)}
	if err != nil && !errors.Is(err, redis.Nil) {
		answer = map[string]any{"error": err.Error()}
	}
	printed, err := json.Marshal(answer)
	if err != nil && !errors.Is(err, redis.Nil) {
		panic(err)
	}
	fmt.Println(string(printed))
}
