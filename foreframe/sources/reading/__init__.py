"""Reading what others wrote: videos, pictures, arrays, records, archives; refused if damaged."""
