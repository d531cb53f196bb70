"""What the tests share: databases, servers, an API client."""
