// A peer of the benches: the centrifuge library, the engine of Centrifugo.
//
//	centrifuge-peer -port N [-history N] [-redis HOST:PORT]
//
// Everybody may subscribe and publish anywhere. With a history so many publications a channel are kept for a minute, so that
// who was away can recover; with Redis the broker and the history are there, as in a cluster, else in this process.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

const kept = time.Minute

func main() {
	port := flag.String("port", "8000", "port of 127.0.0.1")
	history := flag.Int("history", 0, "publications kept a channel")
	redis := flag.String("redis", "", "address of Redis")
	flag.Parse()

	node, err := centrifuge.New(centrifuge.Config{
		LogLevel:   centrifuge.LogLevelError,
		LogHandler: func(entry centrifuge.LogEntry) { log.Println(entry.Message, entry.Fields) },
	})
	must(err)
	if *redis != "" {
		must(overRedis(node, *redis))
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "user"}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) { serve(node, client, *history) })
	must(node.Run())

	anyOrigin := func(*http.Request) bool { return true }
	sockets := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{CheckOrigin: anyOrigin})
	http.Handle("/connection/websocket", sockets)
	must(http.ListenAndServe("127.0.0.1:"+*port, nil))
}

func serve(node *centrifuge.Node, client *centrifuge.Client, history int) {
	options := centrifuge.SubscribeOptions{EnableRecovery: history > 0}
	client.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
		answer(centrifuge.SubscribeReply{Options: options}, nil)
	})
	client.OnPublish(func(event centrifuge.PublishEvent, answer centrifuge.PublishCallback) {
		if history == 0 {
			answer(centrifuge.PublishReply{}, nil)
			return
		}
		result, err := node.Publish(event.Channel, event.Data, centrifuge.WithHistory(history, kept))
		answer(centrifuge.PublishReply{Result: &result}, err)
	})
}

func overRedis(node *centrifuge.Node, address string) error {
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: address})
	if err != nil {
		return err
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
	if err != nil {
		return err
	}
	node.SetBroker(broker)
	return nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
