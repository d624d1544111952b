# The peer of `smartstore bench face`: the same networks by onnxruntime, on one thread.
import json, sys, time
import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
answer = {"peer": "onnxruntime " + onnxruntime.__version__}
runs = int(sys.argv[1])
names = ("detector", "detector_small", "embedder")
shapes = ((1, 3, 640, 640), (1, 3, 320, 320), (1, 3, 112, 112))
for name, file, shape in zip(names, sys.argv[2:], shapes):
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    fixed = tuple(known if isinstance(known, int) and known > 1 else asked for known, asked in zip(entry.shape, shape))
    values = numpy.random.default_rng(1).uniform(0, 255, fixed).astype(numpy.float32)
    for _ in range(3):
        session.run(None, {entry.name: values})
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        session.run(None, {entry.name: values})
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    answer[name] = {"p50_ms": took[len(took) // 2], "shape": list(fixed)}
print(json.dumps(answer))
