package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
)

// Obeys commands in lines on stdin, one after the other:
//
//	enqueue VALUE             puts into the queue                -> enqueued
//	dequeue                   takes from it, waits if it must    -> dequeued VALUE
//	enqueue-priority N VALUE  the same of the priority queue     -> enqueued
//	dequeue-priority                                             -> dequeued VALUE
//	hold                      closes the barrier                 -> held, or: held already
//	release                   opens it                           -> released
//	wait                      waits until it is open             -> passed
//
// It says "ready" when it listens.
func recipes(client *clientv3.Client, key string) {
	queue := recipe.NewQueue(client, key)
	priorities := recipe.NewPriorityQueue(client, key)
	barrier := recipe.NewBarrier(client, key)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Split(lines.Text(), " ")
		switch words[0] {
		case "enqueue":
			check(queue.Enqueue(words[1]))
			fmt.Println("enqueued")
		case "dequeue":
			sayDequeued(queue.Dequeue())
		case "enqueue-priority":
			priority, err := strconv.ParseUint(words[1], 10, 16)
			check(err)
			check(priorities.Enqueue(words[2], uint16(priority)))
			fmt.Println("enqueued")
		case "dequeue-priority":
			sayDequeued(priorities.Dequeue())
		case "hold":
			sayHeld(barrier.Hold())
		case "release":
			check(barrier.Release())
			fmt.Println("released")
		case "wait":
			check(barrier.Wait())
			fmt.Println("passed")
		default:
			log.Fatalf("unknown command %q", words[0])
		}
	}
}

func sayDequeued(value string, err error) {
	check(err)
	fmt.Printf("dequeued %s\n", value)
}

func sayHeld(err error) {
	if err == recipe.ErrKeyExists {
		fmt.Println("held already")
		return
	}
	check(err)
	fmt.Println("held")
}
