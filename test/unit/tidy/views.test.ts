import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewsOf } from '../../tidy/views.js';

function check(text: string, code: string): void {
  assert.equal(viewsOf(text).code, code);
}

test('strings, templates, regular expressions and comments are told from code', () => {
  check(`a('b(c', "d'e") // f(`, `a('   ', "   ")      `);
  check('/* a */ b /* c\n */ d', '        b     \n    d');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a template is the case.
  check('f(`a ${b({})} c ${`d ${e}`}`)', 'f(`  ${b({})}   ${`  ${e}`}`)');
  check('x = a / b / c;', 'x = a / b / c;');
  check('x = /[\'"`/]+\\//g.test(y) / 2;', 'x = /         /g.test(y) / 2;');
  check('return /a{/;', 'return /  /;');
  check("'it\\'s' + b", "'     ' + b");
  check('`a\\`b` + c', '`    ` + c');
  check('f(/* " */ a)', 'f(        a)');
  check("'//' + a", "'  ' + a");
});

test('the other views keep what they are named for, in place', () => {
  const { uncommented, comments } = viewsOf("import 'a'; // import 'b'\n");
  assert.equal(uncommented, "import 'a';              \n");
  assert.equal(comments, "            // import 'b'\n");
});
