const CLASS = String.raw`(?:[\w$]+\.)*[A-Z]\w*(?:Exception|Error)`;
const TEXT_OF_EXCEPTION = new RegExp(`\\b(${CLASS}): (?!${CLASS}\\b)[^\\n]*`, 'g');

/** What a Java program printed, with the texts of exceptions left out: their classes stay, causes included. */
export function withoutTexts(printed: string): string {
  return printed
    .replace(TEXT_OF_EXCEPTION, '$1: <text>')
    .replace(/ failed: .* \(KafkaAdminClient\)$/gm, ' failed: <text> (KafkaAdminClient)')
    .replace(/^(Error while executing topic command : ).*$/gm, '$1<text>');
}
