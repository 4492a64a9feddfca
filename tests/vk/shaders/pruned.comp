#version 450
// What prune.hpp must see through, and what it must leave alone; tests/vk/prune.cpp has the same in C++.
layout(local_size_x = 1) in;
layout(constant_id = 0) const uint CODE = 0;
layout(constant_id = 1) const bool WIDE = false;
layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };

uint state;
shared uint meeting;

uint operation(uint code, uint u) {
  switch (code & 0xffu) {
    case 1: return u + 101;
    case 2:
      if (u > 7) break;  // out of the switch, from within a branch
      return u * 102;
    case 3: u ^= 103;  // falls through
    case 4: u |= 104; break;
    default:
      for (uint i = 0; i < 4; ++i) {
        if (x[i] == u) return 106;
        if (x[i] % 2 == 0) continue;
        u += 108;
      }
  }
  return u;
}

// A constant that passes through two calls.
uint both(uint code, uint u) { return operation(code, u) + operation(code + 1, u); }

// Its parameter is no constant in it, whatever it is called with.
uint counted(uint n) {
  uint sum = 0;
  while (n > 0) sum += x[n-- % 4] + 109;
  return sum;
}

// Its parameter takes a constant, once and not always.
uint cleared(uint n) {
  if (n > 6) n = 0;
  return n + 100;
}

void remember() { state = 110; }

void main() {
  uint u = x[0];
  if (WIDE && u > 3) u += 111;
  if (WIDE || u > 4) u += 112;
  y[0] = both(CODE, u);
  y[1] = operation(CODE, u + 1);
  y[2] = counted(CODE + 3);
  state = 113;  // here once, and elsewhere
  if (x[1] > 5) remember();
  meeting = 115;
  barrier();
  y[3] = state + meeting;
  uint sum = 0;
  for (uint i = 0; i < CODE; ++i) sum += x[i % 4] + 116;
  y[4] = sum;
  y[5] = WIDE ? u : u + 117;
  y[7] = cleared(u) + cleared(CODE);
  y[6] = 118;
  if (CODE > 9) return;
  y[6] = 119;
}
