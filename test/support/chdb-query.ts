import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('chdb-query-child.js', import.meta.url));

/**
 * The rows that the real engine reads out of Native blocks: `select` is what stands before `FROM`.
 * In a process of its own, because the library does not survive several uses in one.
 */
export async function readWithChdb<Row>(
  blocks: Uint8Array,
  select: string,
  rest = '',
): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-native-'));
  try {
    const file = join(folder, 'blocks.native');
    await writeFile(file, blocks);
    const sql = `SELECT ${select} FROM file('${file}', 'Native') ${rest}`;
    const { stdout } = await promisify(execFile)(process.execPath, [program, sql], {
      maxBuffer: 256 * 1024 * 1024,
    });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
