"""The wire: one session, who asks, timeouts, retries. Answers with decoded documents or with named failures."""
