// Started by tests/support/authorization-server: oidc-provider with the clients of the tests.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [modules, seconds] = process.argv.slice(2);
const entry = pathToFileURL(`${modules}/node_modules/oidc-provider/lib/index.js`);
const { default: Provider } = await import(entry);

const device = 'urn:ietf:params:oauth:grant-type:device_code';
const configuration = {
  clients: [
    {
      client_id: 'mailhaul-test',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/'],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', device],
    },
    {
      client_id: 'admin',
      client_secret: 'admin-secret',
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
    {
      client_id: 'dovecot',
      client_secret: 'dovecot-secret',
      redirect_uris: [],
      response_types: [],
      grant_types: [],
    },
  ],
  scopes: ['openid', 'offline_access', 'mail'],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  ttl: { AccessToken: Number(seconds), RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 3600, DeviceCode: 600 },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
};

const server = createServer((request, response) => handle(request, response));
let handle;
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  handle = new Provider(url, configuration).callback();
  console.log(`ready url=${url} modules=${modules}`);
});

// The caller reads one line and no more.
process.stdout.on('error', () => {});
// The caller's end, even by kill -9, closes this.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
