// A program that uses etcd's own Go client, for tests of the keys it shares with Conclave.
//
//	interop ENDPOINTS TTL lock PREFIX
//	interop ENDPOINTS TTL elect PREFIX VALUE
//	interop ENDPOINTS TTL observe PREFIX
//	interop ENDPOINTS TTL recipes KEY
//
// It says in lines on stdout what happens to it. A holder and a leader take commands in lines on stdin:
//
//	write KEY VALUE   a transaction under the guard of the recipe    -> written true|false
//	proclaim VALUE    a leader's next value                          -> proclaimed
//	release           gives it back, by delete                       -> released
//
// For recipes see recipes.go.
//
// Without a command it keeps what it has until it is killed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// What the recipes for mutexes and elections have in common once one has it.
type held struct {
	guard    clientv3.Cmp
	proclaim func(context.Context, string) error
	release  func(context.Context) error
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 5 {
		log.Fatal("usage: interop ENDPOINTS TTL lock|elect|observe|recipes PREFIX [VALUE]")
	}
	endpoints, ttl, command, prefix := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   strings.Split(endpoints, ","),
		DialTimeout: 10 * time.Second,
	})
	check(err)
	seconds, err := strconv.Atoi(ttl)
	check(err)
	session, err := concurrency.NewSession(client, concurrency.WithTTL(seconds))
	check(err)
	switch command {
	case "lock":
		obey(ctx, client, lock(ctx, session, prefix))
	case "elect":
		obey(ctx, client, elect(ctx, session, prefix, os.Args[5]))
	case "observe":
		observe(ctx, session, prefix)
	case "recipes":
		recipes(client, prefix)
	default:
		log.Fatalf("unknown command %q", command)
	}
}

func lock(ctx context.Context, session *concurrency.Session, prefix string) held {
	mutex := concurrency.NewMutex(session, prefix)
	check(mutex.Lock(ctx))
	response, err := session.Client().Get(ctx, mutex.Key())
	check(err)
	fmt.Printf("held %s %d\n", mutex.Key(), response.Kvs[0].CreateRevision)
	return held{guard: mutex.IsOwner(), release: mutex.Unlock}
}

func elect(ctx context.Context, session *concurrency.Session, prefix, value string) held {
	election := concurrency.NewElection(session, prefix)
	check(election.Campaign(ctx, value))
	fmt.Printf("held %s %d\n", election.Key(), election.Rev())
	return held{
		guard:    clientv3.Compare(clientv3.CreateRevision(election.Key()), "=", election.Rev()),
		proclaim: election.Proclaim,
		release:  election.Resign,
	}
}

func observe(ctx context.Context, session *concurrency.Session, prefix string) {
	for response := range concurrency.NewElection(session, prefix).Observe(ctx) {
		leader := response.Kvs[0]
		fmt.Printf("leader %s %d %s\n", leader.Key, leader.CreateRevision, leader.Value)
	}
}

func obey(ctx context.Context, client *clientv3.Client, it held) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Split(lines.Text(), " ")
		switch words[0] {
		case "write":
			response, err := client.Txn(ctx).If(it.guard).Then(clientv3.OpPut(words[1], words[2])).Commit()
			check(err)
			fmt.Printf("written %t\n", response.Succeeded)
		case "proclaim":
			check(it.proclaim(ctx, words[1]))
			fmt.Println("proclaimed")
		case "release":
			check(it.release(ctx))
			fmt.Println("released")
		default:
			log.Fatalf("unknown command %q", words[0])
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
