import type { Logger, Storage } from '../base/ports.ts';
import type { LogManager, PartitionLog } from '../log/index.ts';
import type { MetadataImage } from '../metadata/image.ts';

/**
 * Puts folders aside that the metadata does not know: of topics that were deleted while a crash kept the old name, or
 * that were never this node's. They get a `-stray` name, as Apache Kafka gives them, and are left for people to look at;
 * their own names are free for the topics that have them now.
 */
export function setStrayLogsAside(
  logs: LogManager,
  image: MetadataImage,
  nodeId: number,
  storage: Storage,
  logger: Logger,
): void {
  const isKnown = ({ topic, partition, topicId }: PartitionLog) =>
    image.partition(topicId, partition)?.replicas.includes(nodeId) === true &&
    image.topicName(topicId) === topic;
  const setAside = (log: PartitionLog) => {
    const stray = log.dir.replace(/-delete$/, '-stray');
    storage.rename(log.dir, stray);
    const name = `${log.topic}-${log.partition}`;
    logger.warn(`${name} with topic id ${log.topicId} is not known to the cluster and was put aside`, {
      folder: stray,
    });
  };
  for (const log of [...logs.all()]) {
    if (isKnown(log)) continue;
    logs.delete(log.topic, log.partition);
    setAside(log);
  }
  for (const rival of logs.rivals) {
    if (isKnown(rival)) {
      logs.adoptRival(rival);
      continue;
    }
    logs.deleteRival(rival);
    setAside(rival);
  }
}
