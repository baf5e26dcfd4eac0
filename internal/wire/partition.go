package wire

// Partition is the partition of a key among n, as the Java client's default partitioner has it and as the contract
// demands: murmur2 with the seed 0x9747b28c, made positive by clearing the sign, modulo n.
// Source: org.apache.kafka.common.utils.Utils.murmur2 and toPositive. n must be at least 1.
func Partition(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

// Common is the greatest common divisor of two partition counts: modulo it, a key's partitions among n and among m are the same.
func Common(n, m int32) int32 {
	for m != 0 {
		n, m = m, n%m
	}
	return n
}

func murmur2(key []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
