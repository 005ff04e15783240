"""A declarative extractor for REST APIs: streams.yaml says what to read, a destination takes the rows.

Rooms, in the order in which data flows through them: spec (streams.yaml as a typed model), paging (which requests, and
when a read is whole), http (the wire), rows (records to typed rows), state (what is remembered), reading (which records
are changes), sync (the loop), destination (what is written to); and setup (a connection's form and its tests). None
imports the Fivetran SDK, and none knows the API that is read.

Beside them, for whoever writes streams.yaml: openapi (what an API says about itself), checking (whether streams.yaml
fits it), cli (the commands). A sync uses none of these.
"""
