package agentr;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import main.scala.scienceworld.runtime.SimplifierProcessor$;
import scala.util.Random$;
import scienceworld.runtime.pythonapi.PythonInterface;
import util.UniqueIdentifier$;

/**
 * Snapshots of a ScienceWorld simulator, taken and put back.
 *
 * <p>A snapshot is a copy of all that the simulator can reach and change: the objects below the PythonInterface, and
 * what is global to the process (random numbers, identifiers, simplifications). Putting one back copies it again into
 * the live objects, so it can be put back any number of times. For one thread at a time.
 */
public final class Snapshots {
    private final Object[] live;
    private final Map<Integer, Object[]> kept = new HashMap<>();
    private final Copier copier = new Copier();
    private int next;
    private String problem = "";

    /** Snapshots of {@code server} and of what it shares with the whole process. */
    public Snapshots(PythonInterface server) {
        Random random = Random$.MODULE$.self();
        Object seed = Copier.read(random, Random.class, "seed");
        Object easier = Copier.read(SimplifierProcessor$.MODULE$, SimplifierProcessor$.class, "simplifications");
        live = new Object[] {server, random, seed, UniqueIdentifier$.MODULE$, easier};
    }

    /** Take a snapshot of the present state; the number to ask for it by, -1 where it cannot be taken. */
    public int take() {
        Object[] snapshot = new Object[live.length];
        for (int i = 0; i < live.length; i++) {
            snapshot[i] = Copier.blank(live[i].getClass());
        }
        if (!copied(live, snapshot)) {
            return -1;
        }
        kept.put(next, snapshot);
        return next++;
    }

    /** Bring the simulator back to where a snapshot was taken; after false its state is good for nothing. */
    public boolean restore(int number) {
        return copied(kept.get(number), live);
    }

    /** Why the last copy failed. */
    public String problem() {
        return problem;
    }

    private boolean copied(Object[] from, Object[] to) {
        try {
            copier.copy(from, to);
            return true;
        } catch (RuntimeException error) {
            problem = error.toString();
            return false;
        }
    }

    /** Forget a snapshot. */
    public void drop(int number) {
        kept.remove(number);
    }

    /** How many objects the last copy went through. */
    public int size() {
        return copier.size();
    }
}
