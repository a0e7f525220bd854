import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { messageOf, NodeError } from '../core/errors.js';

const passwordBytes = 24;

/** The password kept in `path`; a new one, readable by its owner only, when there is no file. */
export async function readOrCreatePassword(path: string): Promise<string> {
  try {
    const created = randomBytes(passwordBytes).toString('base64url');
    await writeFile(path, `${created}\n`, { flag: 'wx', mode: 0o600, flush: true });
    return created;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, messageOf(error));
  }
  let text = '';
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw unusable(path, messageOf(error));
  }
  if (text === '') throw unusable(path, 'the file is empty; delete it to get a new password');
  return text;
}

function unusable(path: string, cause: string): NodeError {
  return new NodeError(
    'SLUICE_DATA_UNUSABLE',
    `cannot read or create ${path}: ${cause}`,
    'Check the rights of the data directory.',
  );
}
