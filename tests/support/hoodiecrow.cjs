// Started by tests/support/hoodiecrow.
const [modules, ...plugins] = process.argv.slice(2);
const hoodiecrow = require(`${modules}/node_modules/hoodiecrow-imap`);

const server = hoodiecrow({
  plugins,
  id: { name: 'hoodiecrow' },
  users: { budi: { password: 'secret' } },
  storage: { INBOX: {}, '': { separator: '/', folders: {} } },
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.server.address();
  console.log(`ready pid=${process.pid} imap=${port}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
