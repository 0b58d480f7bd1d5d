/** Ids, times and addresses differ from run to run, and the order of rows from broker to broker. */
export function calm(text: string): readonly string[] {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/127\.0\.0\.1:\d+/g, '<broker>')
    .replaceAll(/^\[[^\]]*\] /gm, '')
    .replaceAll(/(org\.apache\.kafka\.[\w.]*Exception): .*/g, '$1')
    .replaceAll(/^\s*at [\w.$/<>]+\(.*\)$/gm, '')
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .sort();
}

/** The same for a record of `__consumer_offsets` as kafka-dump-log shows it. */
export function calmRecord(line: string): string {
  return (
    line
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
      .replaceAll(/"(commitTimestamp|currentStateTimestamp|expireTimestamp)":\d+/g, '"$1":<time>')
      .replaceAll(/"topicId":"[^"]*"/g, '"topicId":"<id>"')
      .replaceAll(/"(metadataHash|timestamp|assignmentTimestamp)":-?\d+/g, '"$1":<number>')
      // The offset of metadata that a regular expression was resolved with, and not the version of a record.
      .replaceAll(/"version":\d{2,}/g, '"version":<number>')
  );
}
