// Evaluates JSONata expressions with the reference implementation.
//
// Reads one JSON document per line, {"expression", "bindings"}, and writes one line for each: {"value"} or {"error"}.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const jsonata = createRequire(process.argv[2] + '/')('jsonata');
const parsed = new Map();

function parse(text) {
  if (!parsed.has(text)) {
    const expression = jsonata(text);
    // Step Functions adds this function.
    expression.registerFunction('hash', (source) => createHash('sha256').update(source, 'utf8').digest('hex'), '<ss:s>');
    parsed.set(text, expression);
  }
  return parsed.get(text);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { expression: text, bindings } = JSON.parse(line);
  let answer;
  try {
    const expression = parse(text);
    const value = await expression.evaluate(undefined, bindings);
    answer = value === undefined ? { error: 'no result' } : { value };
  } catch (error) {
    answer = { error: String(error.code ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
