"""Sightline's multi-crop under the same protocol as its peers: one JSON request a line, one answer."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from sightline.views import MultiCrop


def main() -> None:
    cv2.setNumThreads(1)
    for line in sys.stdin:
        request = json.loads(line)
        clock = time.process_time if request["clock"] == "cpu" else time.perf_counter
        sizes = {key: request[key] for key in ("global_size", "local_size", "local_crops")}
        pictures, batch, workers = np.load(request["images"]), request["batch"], request["workers"]
        transform, images = MultiCrop(**sizes), [pictures[i % len(pictures)] for i in range(batch)]

        def one(begin: int, transform=transform, images=images) -> None:
            transform(images, range(begin, begin + len(images)))

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, [0] * workers))
            done, start = 0, clock()
            while (spent := clock() - start) < request["seconds"]:
                list(pool.map(one, [done + batch * i for i in range(workers)]))
                done += batch * workers
        print(json.dumps({"rate": done / spent}), flush=True)


if __name__ == "__main__":
    main()
