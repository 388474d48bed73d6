#pragma once

#include "kernels/parallel.h"

// What a kernel could reach at best on this machine in this moment, measured beside it.
namespace attune::bench {

// Most floating-point operations a second of fma chains that stay in registers, on all threads.
double fma_peak(kernels::Threads& threads);

// Bytes a second, read and written, of a copy that moves `bytes` of them (half in, half out), on
// all threads: of the cache level that these bytes live in.
double copy_bandwidth(kernels::Threads& threads, double bytes);

// What a kernel does. Operations count the vector instructions of its loop that the arithmetic
// ports take, two for each lane, as an fma has two; bytes are those that it must read and write
// once.
struct Work {
  double operations = 0, bytes = 0;
};

// Least seconds for that work: whichever of the two takes longer.
double least_seconds(kernels::Threads& threads, const Work& work);

}  // namespace attune::bench
