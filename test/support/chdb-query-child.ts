/** Runs one statement in chDB and prints its rows as JSON, one a line; see chdb-query.ts. */
import { query } from 'chdb';

const settings =
  'output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1';
process.stdout.write(query(`${process.argv[2]} SETTINGS ${settings}`, 'JSONEachRow'));
