"""Images: decoding, GeoTIFF, and the cache of decoded pixels."""
