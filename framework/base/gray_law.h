#pragma once

namespace attune {

// Mean and standard deviation of the gray values that a model learnt from, by which it wants those
// of any other image normalised. It belongs to the data and stands in the run file.
struct GrayLaw {
  double mean = 0, sd = 1;
};

}  // namespace attune
