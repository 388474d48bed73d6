#pragma once

#include "autograd/op.h"

// The index arrays that may be left out, and what they are then.
namespace attune::absent {

// Offsets that bound one sequence: all rows of an input, the first (q, x) or the second (k).
extern const Absent one_sequence, one_sequence_of_second;
// 0 … B−1 for the B sequences that the first index array bounds.
extern const Absent numbered_sequences;
// 0 … n−1 for the rows of the first input.
extern const Absent numbered_rows;
// 0 for each row of the first input: they are of one example.
extern const Absent one_example;
// Of each row, the number of rows before it that are of the same example (the first index array).
extern const Absent place_in_example;
// The same of the rows that the first index array bounds, whose third one says the examples.
extern const Absent one_example_of_bounded, place_in_bounded;

}  // namespace attune::absent
