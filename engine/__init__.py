"""A declarative extractor for REST APIs: streams.yaml declares what to read, a destination receives the rows.

Packages and modules, each of which imports only from those before it:

- failures, numbers, instants, log, jsonpath, nouns, destination: what everything else is written in;
- declare: the small framework in which the blocks and keys of streams.yaml are declared and checked;
- variables: where values go in the requests that streams.yaml writes out;
- requests: requests and responses as plain values;
- pagination, authentication: one file per style, its keys in streams.yaml and its behavior;
- spec: streams.yaml as a typed, immutable model;
- http: sending requests, with retries and limits;
- rows: from records to typed rows;
- state: what is kept between syncs;
- reading: one file per algorithm: which lists are read, and which records are changes;
- sync: the loop over the streams;
- parts: a stream's list in parts, for engines that read on several machines;
- setup_form: the setup form of a connection and its tests.

None imports the Fivetran SDK, and none knows the API that is read. The authors' commands are in tools/, which is not
deployed.
"""
