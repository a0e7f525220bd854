/**
 * Prints the tables of the README as the code has them:
 *
 *     node dist/test/tidy/tables.js
 */
import { readmeTables } from './readme-tables.js';

for (const { title, lines } of await readmeTables()) {
  process.stdout.write(`## ${title}\n\n${lines.join('\n')}\n\n`);
}
