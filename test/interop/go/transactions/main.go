// Writes transactions with sarama, reads them back, and prints, one JSON object a line, what each step gave.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/IBM/sarama"
)

const partitions = 3
const rounds = 12
const patience = 180 * time.Second

func step(name string, value any) {
	line, err := json.Marshal(map[string]any{"step": name, "value": value})
	must(err)
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newConfig(transactionalID string) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.ClientID = "interop"
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	if transactionalID != "" {
		config.Producer.Idempotent = true
		config.Producer.Transaction.ID = transactionalID
		config.Producer.Transaction.Retry.Backoff = 100 * time.Millisecond
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Net.MaxOpenRequests = 1
	}
	return config
}

func waitFor(what string, check func() bool) {
	for end := time.Now().Add(patience); !check(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			must(fmt.Errorf("waited in vain for %s", what))
		}
	}
}

// waitForLeaders returns when every partition answers: Apache Kafka creates topics before its brokers hear of them.
func waitForLeaders(brokers []string, config *sarama.Config, topic string) {
	client, err := sarama.NewClient(brokers, config)
	must(err)
	defer client.Close()
	for partition := int32(0); partition < partitions; partition++ {
		waitFor("the leaders of "+topic, func() bool {
			_, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
			return err == nil
		})
	}
}

func newProducer(bootstrap, transactionalID string) sarama.SyncProducer {
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		producer, err := sarama.NewSyncProducer([]string{bootstrap}, newConfig(transactionalID))
		if err == nil {
			return producer
		}
		if time.Now().After(end) {
			must(err)
		}
	}
}

func send(producer sarama.SyncProducer, topic, prefix string, count int) error {
	messages := make([]*sarama.ProducerMessage, count)
	for at := range messages {
		value := sarama.StringEncoder(fmt.Sprintf("%s%d", prefix, at))
		messages[at] = &sarama.ProducerMessage{Topic: topic, Partition: int32(at % partitions), Value: value}
	}
	return producer.SendMessages(messages)
}

// read gives every value below the end of the topic, as a consumer of that isolation level sees it.
func read(bootstrap, topic string, level sarama.IsolationLevel, count int) []string {
	config := newConfig("")
	config.Consumer.IsolationLevel = level
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	must(err)
	values := []string{}
	got := make(chan string)
	var readers []sarama.PartitionConsumer
	for partition := int32(0); partition < partitions; partition++ {
		reader, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		must(err)
		readers = append(readers, reader)
		go func() {
			for message := range reader.Messages() {
				got <- string(message.Value)
			}
		}()
	}
	timeout := time.After(patience)
	quiet := time.NewTimer(patience)
	for waiting := true; waiting; {
		select {
		case value := <-got:
			values = append(values, value)
			if len(values) >= count {
				// What is there too much comes behind.
				quiet.Reset(500 * time.Millisecond)
			}
		case <-quiet.C:
			waiting = false
		case <-timeout:
			waiting = false
		}
	}
	for _, reader := range readers {
		reader.AsyncClose()
	}
	sort.Strings(values)
	return values
}

func code(err error) string {
	var kerr sarama.KError
	var all sarama.ProducerErrors
	if errors.As(err, &all) && len(all) > 0 {
		err = all[0].Err
	}
	if errors.As(err, &kerr) {
		return fmt.Sprint(int(kerr))
	}
	if err != nil {
		return "an error of sarama"
	}
	return "none"
}

func ends(bootstrap string) {
	producer := newProducer(bootstrap, "ends")
	for round := 0; round < rounds; round++ {
		must(producer.BeginTxn())
		commits := round%3 != 2
		prefix := fmt.Sprintf("dropped-%d-", round)
		if commits {
			prefix = fmt.Sprintf("kept-%d-", round)
		}
		must(send(producer, "ends", prefix, 4))
		must(send(producer, "ends", prefix+"more-", 2))
		if commits {
			must(producer.CommitTxn())
		} else {
			must(producer.AbortTxn())
		}
	}
	must(producer.Close())
	step("committed", read(bootstrap, "ends", sarama.ReadCommitted, rounds*6*2/3))
	step("all", read(bootstrap, "ends", sarama.ReadUncommitted, rounds*6))
}

func moved(bootstrap string) {
	producer := newProducer(bootstrap, "moved")
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, newConfig(""))
	must(err)
	// The answer to EndTxn comes before the markers are written; with them comes the next transaction of the same producer.
	for round, commits := range []bool{true, false, true, false} {
		must(producer.BeginTxn())
		must(send(producer, "moved", fmt.Sprintf("%d-", round), 3))
		if round > 0 {
			found, err := admin.ListConsumerGroupOffsets("moved", map[string][]int32{"ends": {0, 1}})
			must(err)
			step(fmt.Sprintf("offsets after %d", round-1), []int64{
				found.GetBlock("ends", 0).Offset,
				found.GetBlock("ends", 1).Offset,
			})
		}
		offsets := map[string][]*sarama.PartitionOffsetMetadata{"ends": {}}
		for partition := int32(0); partition < 2; partition++ {
			offset := int64(10*round) + int64(partition) + 1
			one := &sarama.PartitionOffsetMetadata{Partition: partition, Offset: offset, LeaderEpoch: -1}
			offsets["ends"] = append(offsets["ends"], one)
		}
		must(producer.AddOffsetsToTxn(offsets, "moved"))
		if commits {
			must(producer.CommitTxn())
		} else {
			must(producer.AbortTxn())
		}
	}
	must(producer.Close())
	step("moved", read(bootstrap, "moved", sarama.ReadCommitted, 6))
}

func fenced(bootstrap string) {
	zombie := newProducer(bootstrap, "fenced")
	must(zombie.BeginTxn())
	must(send(zombie, "fenced", "zombie-", 3))
	heir := newProducer(bootstrap, "fenced")
	must(heir.BeginTxn())
	must(send(heir, "fenced", "heir-", 3))
	step("the zombie sends", code(send(zombie, "fenced", "late-", 3)))
	step("the zombie can't commit", zombie.CommitTxn() != nil)
	must(heir.CommitTxn())
	must(heir.Close())
	zombie.Close()
	step("after the fencing", read(bootstrap, "fenced", sarama.ReadCommitted, 3))
}

func main() {
	bootstrap := os.Args[1]
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, newConfig(""))
	must(err)
	for _, topic := range []string{"ends", "moved", "fenced"} {
		must(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
		waitForLeaders([]string{bootstrap}, newConfig(""), topic)
	}
	ends(bootstrap)
	moved(bootstrap)
	fenced(bootstrap)
}
