// Drives a broker with sarama and prints, one JSON object a line, what each step gave.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

var base = time.UnixMilli(1_700_000_000_000)

const patience = 180 * time.Second

func step(name string, value any) {
	line, err := json.Marshal(map[string]any{"step": name, "value": value})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func text(err error) any {
	if err == nil {
		return nil
	}
	var code sarama.KError
	if errors.As(err, &code) {
		return fmt.Sprintf("code %d", int16(code))
	}
	return err.Error()
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
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Return.Errors = true
	return config
}

func message(topic string, partition int32, i int) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{
		Topic: topic, Partition: partition,
		Key: sarama.StringEncoder(fmt.Sprintf("k%d", i)), Value: sarama.StringEncoder(fmt.Sprintf("v%d", i)),
		Headers:   []sarama.RecordHeader{{Key: []byte("h"), Value: []byte(strconv.Itoa(i))}, {Key: []byte("nil")}},
		Timestamp: base.Add(time.Duration(i) * time.Second),
	}
}

// createTopics sends CreateTopics through Broker, as tools written with sarama do.
func createTopics(name, address string, config *sarama.Config, topics map[string]*sarama.TopicDetail) {
	broker := sarama.NewBroker(address)
	must(broker.Open(config))
	defer broker.Close()
	version := map[bool]int16{true: 2, false: 1}[config.Version.IsAtLeast(sarama.V1_0_0_0)]
	if config.Version.IsAtLeast(sarama.V2_0_0_0) {
		version = 3
	}
	answer, err := broker.CreateTopics(&sarama.CreateTopicsRequest{Version: version, TopicDetails: topics, Timeout: 30 * time.Second})
	must(err)
	result := map[string]any{}
	for topic, e := range answer.TopicErrors {
		message := ""
		if e.ErrMsg != nil {
			message = *e.ErrMsg
		}
		result[topic] = fmt.Sprintf("%d %s", int16(e.Err), message)
	}
	step(name, result)
}

// waitForLeaders returns when every partition answers: Apache Kafka creates topics before its brokers hear of them.
func waitForLeaders(brokers []string, config *sarama.Config, topics map[string]int32) {
	client, err := sarama.NewClient(brokers, config)
	must(err)
	defer client.Close()
	for topic, partitions := range topics {
		for partition := int32(0); partition < partitions; partition++ {
			waitFor("the leaders of "+topic, func() bool {
				_, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
				return err == nil
			})
		}
	}
}

func syncProducer(prefix string, brokers []string, config *sarama.Config, topic string) {
	producer, err := sarama.NewSyncProducer(brokers, config)
	must(err)
	var got []any
	for i := 0; i < 10; i++ {
		partition, offset, err := producer.SendMessage(message(topic, int32(i%2), i))
		got = append(got, []any{partition, offset, text(err)})
	}
	batch := []*sarama.ProducerMessage{}
	for i := 10; i < 20; i++ {
		batch = append(batch, message(topic, 2, i))
	}
	got = append(got, text(producer.SendMessages(batch)))
	for _, m := range batch {
		got = append(got, []any{m.Partition, m.Offset})
	}
	_, _, err = producer.SendMessage(message(topic, 77, 1))
	got = append(got, text(err))
	must(producer.Close())
	step(prefix+" sync producer", got)
}

func asyncProducer(prefix string, brokers []string, config *sarama.Config, topic string, count int) {
	config.Producer.Flush.Messages = 50
	config.Producer.Flush.Frequency = 5 * time.Millisecond
	producer, err := sarama.NewAsyncProducer(brokers, config)
	must(err)
	go func() {
		for i := 0; i < count; i++ {
			producer.Input() <- message(topic, 0, i)
		}
		producer.AsyncClose()
	}()
	offsets := []int64{}
	failures := []any{}
	successes, errs := producer.Successes(), producer.Errors()
	for successes != nil || errs != nil {
		select {
		case m, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			offsets = append(offsets, m.Offset)
		case e, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			failures = append(failures, text(e.Err))
		}
	}
	sort.Slice(offsets, func(a, b int) bool { return offsets[a] < offsets[b] })
	dense := true
	for i, offset := range offsets {
		dense = dense && offset == int64(i)
	}
	step(prefix+" async producer", map[string]any{"acknowledged": len(offsets), "dense": dense, "failures": failures})
}

func consume(prefix string, brokers []string, config *sarama.Config, topic string, partition int32, from int64, count int) {
	consumer, err := sarama.NewConsumer(brokers, config)
	must(err)
	defer consumer.Close()
	stream, err := consumer.ConsumePartition(topic, partition, from)
	if err != nil {
		step(fmt.Sprintf("%s consume %s/%d from %d", prefix, topic, partition, from), text(err))
		return
	}
	got := []any{}
	for len(got) < count {
		select {
		case m := <-stream.Messages():
			headers := []string{}
			for _, h := range m.Headers {
				headers = append(headers, fmt.Sprintf("%s=%s/%t", h.Key, h.Value, h.Value == nil))
			}
			got = append(got, []any{m.Offset, string(m.Key), string(m.Value), headers, m.Timestamp.UnixMilli()})
		case e := <-stream.Errors():
			got = append(got, text(e.Err))
		case <-time.After(patience):
			got = append(got, "nothing came")
			count = 0
		}
	}
	step(fmt.Sprintf("%s consume %s/%d from %d", prefix, topic, partition, from), map[string]any{
		"messages": got, "highWaterMark": stream.HighWaterMarkOffset(),
	})
	must(stream.Close())
}

func admin(prefix string, brokers []string, config *sarama.Config, topic string) {
	admin, err := sarama.NewClusterAdmin(brokers, config)
	must(err)
	defer admin.Close()
	value := "60000"
	step(prefix+" admin alter", text(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &value}, false)))
	resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms", "segment.bytes"}}
	var entries []sarama.ConfigEntry
	// Apache Kafka answers AlterConfigs before its brokers know of the change.
	waitFor("the altered setting", func() bool {
		entries, err = admin.DescribeConfig(resource)
		return slices.ContainsFunc(entries, func(e sarama.ConfigEntry) bool { return e.Value == value })
	})
	described := []any{text(err)}
	sort.Slice(entries, func(a, b int) bool { return entries[a].Name < entries[b].Name })
	for _, e := range entries {
		described = append(described, []any{e.Name, e.Value, e.Default, e.ReadOnly, e.Sensitive, e.Source.String()})
	}
	step(prefix+" admin describe", described)
	step(prefix+" admin partitions", text(admin.CreatePartitions(topic, 4, nil, false)))
	step(prefix+" admin fewer partitions", text(admin.CreatePartitions(topic, 2, nil, false)))
	var details map[string]sarama.TopicDetail
	waitFor("the new partitions", func() bool {
		details, err = admin.ListTopics()
		return details[topic].NumPartitions == 4
	})
	names := []string{}
	for name, d := range details {
		names = append(names, fmt.Sprintf("%s %d %d", name, d.NumPartitions, d.ReplicationFactor))
	}
	sort.Strings(names)
	step(prefix+" admin list", []any{names, text(err)})
	step(prefix+" admin delete", text(admin.DeleteTopic(topic)))
	step(prefix+" admin delete again", text(admin.DeleteTopic(topic)))
	waitFor("the topic to go", func() bool {
		details, err = admin.ListTopics()
		_, isThere := details[topic]
		return err == nil && !isThere
	})
}

func main() {
	address := os.Args[1]
	brokers := []string{address}
	if len(os.Args) > 2 && os.Args[2] == "old" {
		oldClients(brokers)
		return
	}
	versions := map[string]sarama.KafkaVersion{"2.7.0": sarama.V2_7_0_0, "newest": sarama.MaxVersion}
	names := []string{"2.7.0", "newest"}
	for n, name := range names {
		version := versions[name]
		topic, idempotent, async := fmt.Sprintf("sync-%d", n), fmt.Sprintf("idempotent-%d", n), fmt.Sprintf("async-%d", n)
		createTopics(name+" create", address, newConfig(version), map[string]*sarama.TopicDetail{
			topic:      {NumPartitions: 3, ReplicationFactor: 1},
			idempotent: {NumPartitions: 3, ReplicationFactor: 1},
			async:      {NumPartitions: 1, ReplicationFactor: 1},
		})
		createTopics(name+" create again", address, newConfig(version), map[string]*sarama.TopicDetail{topic: {NumPartitions: 3, ReplicationFactor: 1}})
		createTopics(name+" create wrongly", address, newConfig(version), map[string]*sarama.TopicDetail{"no good": {NumPartitions: 1, ReplicationFactor: 1}})
		waitForLeaders(brokers, newConfig(version), map[string]int32{topic: 3, idempotent: 3, async: 1})
		syncProducer(name, brokers, newConfig(version), topic)
		config := newConfig(version)
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
		syncProducer(name+" idempotent", brokers, config, idempotent)
		asyncProducer(name, brokers, newConfig(version), async, 1000)
		for i, codec := range []sarama.CompressionCodec{sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
			config := newConfig(version)
			config.Producer.Compression = codec
			producer, err := sarama.NewSyncProducer(brokers, config)
			must(err)
			_, offset, err := producer.SendMessage(message(topic, 2, 100+i))
			step(fmt.Sprintf("%s %s", name, codec), []any{offset, text(err)})
			must(producer.Close())
		}
		consume(name, brokers, newConfig(version), topic, 2, sarama.OffsetOldest, 14)
		consume(name, brokers, newConfig(version), topic, 0, 3, 2)
		consume(name, brokers, newConfig(version), idempotent, 1, sarama.OffsetOldest, 5)
		consume(name, brokers, newConfig(version), topic, 0, 1000, 1)
		client, err := sarama.NewClient(brokers, newConfig(version))
		must(err)
		offsets := []any{}
		for _, at := range []int64{sarama.OffsetOldest, sarama.OffsetNewest, base.UnixMilli() + 3000, base.UnixMilli() + 9_000_000} {
			offset, err := client.GetOffset(topic, 1, at)
			offsets = append(offsets, []any{offset, text(err)})
		}
		step(name+" offsets", offsets)
		must(client.Close())
		admin(name, brokers, newConfig(version), topic)
	}
}
