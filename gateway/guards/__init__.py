"""Guards: what may not go in, or out, as it is. Pure: texts to findings; the stages do what policy says of them."""
