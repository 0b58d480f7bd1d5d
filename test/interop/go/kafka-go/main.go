// Consumes in groups with kafka-go's readers and prints, one JSON object a line, what each step gave.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const partitions = 6
const patience = 180 * time.Second

// queueCapacity is how many records a reader may have taken before its caller asks for them.
const queueCapacity = 5

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

// seen is what all readers of a group got, by record.
type seen struct {
	sync.Mutex
	values   map[string]int
	repeated int
}

func (s *seen) add(message kafka.Message) {
	s.Lock()
	defer s.Unlock()
	value := string(message.Value)
	if s.values[value] > 0 {
		s.repeated++
	}
	s.values[value]++
}

func (s *seen) distinct() int {
	s.Lock()
	defer s.Unlock()
	return len(s.values)
}

// style is how the readers of a group commit.
type style struct {
	name     string
	balancer kafka.GroupBalancer
	// Zero commits each record when the caller says so, and waits for it.
	interval time.Duration
	// inHand is how many records a reader may have given out that a rebalance gives out once more.
	inHand int
}

// member is one reader of a group, until it is stopped.
type member struct {
	reader *kafka.Reader
	cancel context.CancelFunc
	done   chan struct{}
	// failed counts the commits that were refused.
	failed int
}

func newReader(bootstrap, group, topic string, how style) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers:           []string{bootstrap},
		GroupID:           group,
		Topic:             topic,
		GroupBalancers:    []kafka.GroupBalancer{how.balancer},
		CommitInterval:    how.interval,
		QueueCapacity:     queueCapacity,
		MaxWait:           100 * time.Millisecond,
		HeartbeatInterval: 200 * time.Millisecond,
		SessionTimeout:    60 * time.Second,
		RebalanceTimeout:  60 * time.Second,
		JoinGroupBackoff:  200 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
		}),
	})
}

func (m *member) next(ctx context.Context, how style) (kafka.Message, error) {
	if how.interval > 0 {
		return m.reader.ReadMessage(ctx)
	}
	return m.reader.FetchMessage(ctx)
}

func startMember(bootstrap, group, topic string, how style, s *seen) *member {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{reader: newReader(bootstrap, group, topic, how), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			message, err := m.next(ctx, how)
			if ctx.Err() != nil && err != nil || errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				// It has tried three times, for instance while the coordinator loads, and goes on trying.
				fmt.Fprintln(os.Stderr, err)
				continue
			}
			s.add(message)
			if how.interval > 0 {
				continue
			}
			if err := m.reader.CommitMessages(context.Background(), message); err != nil {
				fmt.Fprintln(os.Stderr, err)
				m.failed++
			}
		}
	}()
	return m
}

// stop leaves the group, and says how many records of the reader may come to another one again.
func (m *member) stop(how style) int {
	m.cancel()
	<-m.done
	allowed := int(m.reader.Stats().Rebalances)*how.inHand + m.failed
	must(m.reader.Close())
	return allowed
}

// feeder writes round after round, each with a record for every partition, until it is stopped.
type feeder struct {
	writer  *kafka.Writer
	written int
	stop    chan struct{}
	done    chan struct{}
}

func newWriter(bootstrap, topic string) *kafka.Writer {
	return &kafka.Writer{
		Addr:         kafka.TCP(bootstrap),
		Topic:        topic,
		RequiredAcks: kafka.RequireAll,
		BatchSize:    partitions,
		BatchTimeout: 2 * time.Millisecond,
		Balancer: kafka.BalancerFunc(func(message kafka.Message, of ...int) int {
			value, err := strconv.Atoi(string(message.Value))
			must(err)
			return of[value%len(of)]
		}),
	}
}

func (f *feeder) round() {
	batch := []kafka.Message{}
	for i := 0; i < partitions; i++ {
		batch = append(batch, kafka.Message{Value: []byte(strconv.Itoa(f.written + i))})
	}
	must(f.writer.WriteMessages(context.Background(), batch...))
	f.written += partitions
}

func (f *feeder) start() {
	f.stop, f.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(f.done)
		for {
			select {
			case <-f.stop:
				return
			case <-time.After(10 * time.Millisecond):
				f.round()
			}
		}
	}()
}

func (f *feeder) end() {
	close(f.stop)
	<-f.done
}

// broker asks what readers themselves have no question for.
type broker struct {
	client *kafka.Client
}

func (b broker) createTopic(topic string) {
	response, err := b.client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	must(err)
	must(response.Errors[topic])
	// Apache Kafka creates topics before its brokers hear of them.
	waitFor("the leaders of "+topic, func() bool {
		asked := []kafka.OffsetRequest{}
		for i := 0; i < partitions; i++ {
			asked = append(asked, kafka.LastOffsetOf(i))
		}
		response, err := b.client.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{
			Topics: map[string][]kafka.OffsetRequest{topic: asked},
		})
		if err != nil || len(response.Topics[topic]) < partitions {
			return false
		}
		for _, one := range response.Topics[topic] {
			if one.Error != nil {
				return false
			}
		}
		return true
	})
}

// describe gives the state of a group and how many partitions each member has.
func (b broker) describe(group string) (string, []int) {
	response, err := b.client.DescribeGroups(context.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	must(err)
	described := response.Groups[0]
	shares := []int{}
	for _, one := range described.Members {
		share := 0
		for _, topic := range one.MemberAssignments.Topics {
			share += len(topic.Partitions)
		}
		shares = append(shares, share)
	}
	sort.Ints(shares)
	return described.GroupState, shares
}

func (b broker) waitForShares(group string, wanted ...int) {
	waitFor(fmt.Sprint(group, " with shares of ", wanted), func() bool {
		state, shares := b.describe(group)
		return state == "Stable" && fmt.Sprint(shares) == fmt.Sprint(wanted)
	})
}

func (b broker) committed(group, topic string) int {
	asked := []int{}
	for i := 0; i < partitions; i++ {
		asked = append(asked, i)
	}
	response, err := b.client.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: asked},
	})
	must(err)
	must(response.Error)
	sum := 0
	for _, one := range response.Topics[topic] {
		must(one.Error)
		sum += int(one.CommittedOffset)
	}
	return sum
}

func (b broker) groups() []string {
	response, err := b.client.ListGroups(context.Background(), &kafka.ListGroupsRequest{})
	must(err)
	must(response.Error)
	names := []string{}
	for _, one := range response.Groups {
		names = append(names, one.GroupID+" "+one.ProtocolType)
	}
	sort.Strings(names)
	return names
}

// Three readers share the partitions; one leaves and one comes while records keep coming, and all come back later.
func share(b broker, bootstrap string, how style) {
	topic, group := "shared-"+how.name, "group-"+how.name
	b.createTopic(topic)
	s := &seen{values: map[string]int{}}
	members := []*member{}
	for i := 0; i < 3; i++ {
		members = append(members, startMember(bootstrap, group, topic, how, s))
	}
	b.waitForShares(group, 2, 2, 2)
	state, shares := b.describe(group)
	step(how.name+" three members", []any{state, shares})
	feed := &feeder{writer: newWriter(bootstrap, topic)}
	feed.start()
	more := func(what string) {
		goal := s.distinct() + 20*partitions
		waitFor(what, func() bool { return s.distinct() >= goal })
	}
	more("records for three")
	allowed := members[0].stop(how)
	b.waitForShares(group, 3, 3)
	more("records for the two that are left")
	members = append(members[1:], startMember(bootstrap, group, topic, how, s))
	b.waitForShares(group, 2, 2, 2)
	more("records for the newcomer as well")
	feed.end()
	waitFor("all", func() bool { return s.distinct() == feed.written })
	for _, m := range members {
		allowed += m.stop(how)
	}
	fmt.Fprintln(os.Stderr, how.name, feed.written, "written,", s.repeated, "of", allowed, "repeated")
	step(how.name+" missing", feed.written-s.distinct())
	step(how.name+" repeats what the rebalances allow", s.repeated <= allowed)
	step(how.name+" not committed", feed.written-b.committed(group, topic))
	restart(b, bootstrap, how, feed, s)
}

// What was committed does not come again to readers that start anew.
func restart(b broker, bootstrap string, how style, feed *feeder, s *seen) {
	topic, group := "shared-"+how.name, "group-"+how.name
	var state string
	var shares []int
	waitFor("nobody to be left", func() bool {
		state, shares = b.describe(group)
		return state == "Empty"
	})
	step(how.name+" left alone", []any{state, shares})
	before := s.repeated
	for i := 0; i < 10; i++ {
		feed.round()
	}
	one := startMember(bootstrap, group, topic, how, s)
	waitFor("what came meanwhile", func() bool { return s.distinct() == feed.written })
	one.stop(how)
	step(how.name+" missing after a restart", feed.written-s.distinct())
	step(how.name+" repeated after a restart", s.repeated-before)
	step(how.name+" not committed after a restart", feed.written-b.committed(group, topic))
	must(feed.writer.Close())
}

// What a reader fetched and did not commit comes to the next one, from the first such record on.
func giveBack(b broker, bootstrap string) {
	how := style{name: "given back", balancer: kafka.RangeGroupBalancer{}}
	topic, group := "given-back", "group-given-back"
	b.createTopic(topic)
	feed := &feeder{writer: newWriter(bootstrap, topic)}
	for i := 0; i < 10; i++ {
		feed.round()
	}
	must(feed.writer.Close())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	take := func(reader *kafka.Reader, count int) map[int][]int64 {
		got := map[int][]int64{}
		for i := 0; i < count; i++ {
			message, err := reader.FetchMessage(ctx)
			must(err)
			got[message.Partition] = append(got[message.Partition], message.Offset)
			// The fourth of each partition stands for the ones before it as well.
			if message.Offset == 3 {
				must(reader.CommitMessages(ctx, message))
			}
		}
		return got
	}
	first := newReader(bootstrap, group, topic, how)
	step("fetched", take(first, feed.written))
	must(first.Close())
	step("committed of it", b.committed(group, topic))
	second := newReader(bootstrap, group, topic, how)
	step("given back", take(second, 6*partitions))
	must(second.Close())
}

func deleteGroups(b broker, groups ...string) {
	step("groups", b.groups())
	response, err := b.client.DeleteGroups(context.Background(), &kafka.DeleteGroupsRequest{GroupIDs: groups})
	must(err)
	for _, group := range groups {
		must(response.Errors[group])
	}
	step("groups after their deletion", b.groups())
}

func main() {
	bootstrap := os.Args[1]
	b := broker{client: &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: patience}}
	share(b, bootstrap, style{name: "explicit", balancer: kafka.RangeGroupBalancer{}, inHand: 1})
	share(b, bootstrap, style{
		name: "interval", balancer: kafka.RoundRobinGroupBalancer{}, interval: 100 * time.Millisecond,
		inHand: queueCapacity + 1,
	})
	giveBack(b, bootstrap)
	deleteGroups(b, "group-explicit", "group-interval", "group-given-back")
}
