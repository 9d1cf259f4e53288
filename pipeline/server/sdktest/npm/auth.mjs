// Google's own library for credentials, with files that the gateway gave: it reads them and fetches a token. FILES
// holds the files by case, TOKENS is where tokens are asked for. Those of service accounts go to Google's always,
// so these are read only.
import { GoogleAuth } from 'google-auth-library';
import { report } from './report.mjs';

const { FILES, TOKENS } = process.env;
const cases = {};
for (const [name, text] of Object.entries(JSON.parse(FILES))) {
  cases[name] = async (seen) => {
    const info = JSON.parse(text);
    const client = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).fromJSON(info);
    if (info.type === 'service_account') {
      Object.assign(seen, { text: client.key ? 'read' : '', names: [client.email, client.projectId] });
      return;
    }
    client.endpoints.oauth2TokenUrl = TOKENS;
    const { token } = await client.getAccessToken();
    Object.assign(seen, { text: token, names: [client._clientId, ''] });
  };
}
await report(cases, () => ({}));
