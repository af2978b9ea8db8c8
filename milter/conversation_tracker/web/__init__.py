"""The web page: shows orders to whoever the proxy in front lets in. It changes nothing."""
