// Consumes in groups with sarama and prints, one JSON object a line, what each step gave.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const partitions = 6
const records = 600
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

func waitFor(what string, check func() bool) {
	for end := time.Now().Add(patience); !check(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			must(fmt.Errorf("waited in vain for %s", what))
		}
	}
}

func newConfig(version sarama.KafkaVersion) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = version
	config.ClientID = "interop"
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 60 * time.Second
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	return config
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

// seen is what all members of a group got, by record.
type seen struct {
	sync.Mutex
	values map[string]int
}

func (s *seen) distinct() int {
	s.Lock()
	defer s.Unlock()
	return len(s.values)
}

// member is one consumer of a group, until it is stopped.
type member struct {
	group  sarama.ConsumerGroup
	cancel context.CancelFunc
	done   chan struct{}
	seen   *seen
	mutex  sync.Mutex
	claims int
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.claims = 0
	for _, claimed := range session.Claims() {
		m.claims += len(claimed)
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.seen.Lock()
		m.seen.values[string(message.Value)]++
		m.seen.Unlock()
		session.MarkMessage(message, "")
	}
	return nil
}

func (m *member) claimed() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.claims
}

func startMember(brokers []string, config *sarama.Config, id, topic string, s *seen) *member {
	group, err := sarama.NewConsumerGroup(brokers, id, config)
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{group: group, cancel: cancel, done: make(chan struct{}), seen: s}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return m
}

func (m *member) stop() {
	m.cancel()
	<-m.done
	must(m.group.Close())
}

func write(brokers []string, config *sarama.Config, topic string, from, to int) {
	producer, err := sarama.NewSyncProducer(brokers, config)
	must(err)
	batch := []*sarama.ProducerMessage{}
	for i := from; i < to; i++ {
		batch = append(batch, &sarama.ProducerMessage{
			Topic: topic, Partition: int32(i % partitions), Value: sarama.StringEncoder(strconv.Itoa(i)),
		})
	}
	must(producer.SendMessages(batch))
	must(producer.Close())
}

// Three members share the partitions; one leaves and one comes while records keep coming.
func share(name string, brokers []string, version sarama.KafkaVersion, strategy sarama.BalanceStrategy) {
	config := newConfig(version)
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	topic, id := "shared-"+name, "group-"+name
	admin, err := sarama.NewClusterAdmin(brokers, newConfig(version))
	must(err)
	must(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	waitForLeaders(brokers, newConfig(version), topic)
	s := &seen{values: map[string]int{}}
	members := []*member{}
	for i := 0; i < 3; i++ {
		members = append(members, startMember(brokers, config, id, topic, s))
	}
	evenly := func(of []*member, each int) func() bool {
		return func() bool {
			for _, m := range of {
				if m.claimed() != each {
					return false
				}
			}
			return true
		}
	}
	waitFor("three members with two partitions each", evenly(members, 2))
	write(brokers, config, topic, 0, records/3)
	waitFor("the first third", func() bool { return s.distinct() == records/3 })
	described, err := admin.DescribeConsumerGroups([]string{id})
	must(err)
	step(name+" three members", []any{described[0].State, described[0].Protocol, described[0].ProtocolType, len(described[0].Members)})
	members[0].stop()
	write(brokers, config, topic, records/3, 2*records/3)
	waitFor("the second third", func() bool { return s.distinct() == 2*records/3 })
	waitFor("the two that are left", evenly(members[1:], 3))
	members = append(members[1:], startMember(brokers, config, id, topic, s))
	waitFor("the newcomer to have its part", evenly(members, 2))
	write(brokers, config, topic, 2*records/3, records)
	waitFor("all", func() bool { return s.distinct() == records })
	for _, m := range members {
		m.stop()
	}
	asked := map[string][]int32{topic: {0, 1, 2, 3, 4, 5}}
	offsets, err := admin.ListConsumerGroupOffsets(id, asked)
	must(err)
	sum := int64(0)
	for _, block := range offsets.Blocks[topic] {
		sum += block.Offset
	}
	step(name+" committed", sum)
	step(name+" distinct", s.distinct())
	groups, err := admin.ListConsumerGroups()
	must(err)
	names := []string{}
	for group, kind := range groups {
		names = append(names, group+" "+kind)
	}
	sort.Strings(names)
	step(name+" groups", names)
	must(admin.DeleteConsumerGroupOffset(id, topic, 0))
	must(admin.DeleteConsumerGroup(id))
	groups, err = admin.ListConsumerGroups()
	must(err)
	step(name+" groups after its deletion", len(groups))
	must(admin.Close())
}

func main() {
	brokers := []string{os.Args[1]}
	share("range", brokers, sarama.V2_7_0_0, sarama.NewBalanceStrategyRange())
	share("roundrobin", brokers, sarama.MaxVersion, sarama.NewBalanceStrategyRoundRobin())
	share("sticky", brokers, sarama.MaxVersion, sarama.NewBalanceStrategySticky())
}
