package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// oldClients speaks to the broker as sarama did to those of 0.8.2 and 0.10.2. The topics are there.
func oldClients(brokers []string) {
	versions := map[string]sarama.KafkaVersion{"0.8.2": sarama.V0_8_2_0, "0.10.2": sarama.V0_10_2_0}
	for _, name := range []string{"0.8.2", "0.10.2"} {
		version := versions[name]
		codecs := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy}
		if version.IsAtLeast(sarama.V0_10_0_0) {
			codecs = append(codecs, sarama.CompressionLZ4)
		}
		for _, codec := range codecs {
			topic := fmt.Sprintf("sarama-%s-%s", name, codec)
			oldProducer(topic, brokers, newConfig(version), codec)
			consume(topic, brokers, newConfig(version), topic, 0, sarama.OffsetOldest, 6)
			consume(topic, brokers, newConfig(version), topic, 0, 3, 3)
		}
		small := newConfig(version)
		small.Consumer.Fetch.Default = 60_000
		consume(name+" small fetches", brokers, small, fmt.Sprintf("sarama-%s-none", name), 0, sarama.OffsetOldest, 6)
		for _, topic := range []string{"modern-none", "modern-gzip", "modern-snappy", "modern-lz4"} {
			consume(name, brokers, newConfig(version), topic, 0, sarama.OffsetOldest, 3)
		}
	}
}

// oldProducer sends six messages in as few requests as sarama makes of them.
func oldProducer(topic string, brokers []string, config *sarama.Config, codec sarama.CompressionCodec) {
	config.Producer.Compression = codec
	config.Producer.Flush.Messages = 6
	config.Producer.Flush.Frequency = 200 * time.Millisecond
	producer, err := sarama.NewSyncProducer(brokers, config)
	must(err)
	batch := []*sarama.ProducerMessage{}
	for i := 0; i < 6; i++ {
		m := message(topic, 0, i)
		m.Headers = nil
		if i == 4 {
			m.Key = nil
		}
		if i == 5 {
			m.Value = nil
		}
		batch = append(batch, m)
	}
	got := []any{text(producer.SendMessages(batch))}
	for _, m := range batch {
		got = append(got, m.Offset)
	}
	must(producer.Close())
	step(topic+" produce", got)
}
