import type { Logger, Storage } from '../base/ports.ts';
import type { LogManager } from '../log/index.ts';
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
  for (const log of [...logs.all()]) {
    const { topic, partition, topicId } = log;
    const known = image.partition(topicId, partition);
    if (known?.replicas.includes(nodeId) && image.topicName(topicId) === topic) continue;
    logs.delete(topic, partition);
    const stray = log.dir.replace(/-delete$/, '-stray');
    storage.rename(log.dir, stray);
    logger.warn(
      `${topic}-${partition} with topic id ${topicId} is not known to the cluster and was put aside`,
      {
        folder: stray,
      },
    );
  }
}
